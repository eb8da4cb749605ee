import { svelte } from '@sveltejs/vite-plugin-svelte';
import { VitePWA } from 'vite-plugin-pwa';
import { defineConfig } from 'vitest/config';

/** Where `npm run dev` and `npm run preview` find the Haechi server. */
const server = process.env.HAECHI_SERVER ?? 'http://127.0.0.1:8480';
const proxy = Object.fromEntries(
  ['/api', '/_matrix', '/.well-known', '/health'].map((path) => [
    path,
    { target: server, changeOrigin: false },
  ]),
);

export default defineConfig({
  plugins: [
    svelte(),
    {
      // matrix-js-sdk carries its encryption as a 5 MB WebAssembly file, reached only by
      // `initRustCrypto`. Encrypted chats are not built yet, so it stays out of the build.
      name: 'leave-out-matrix-encryption',
      enforce: 'pre',
      load(id) {
        if (/matrix-js-sdk\/lib\/rust-crypto\/index\.js$/.test(id)) {
          return 'export function initRustCrypto() { throw new Error("Encryption is not part of this build"); }';
        }
        return null;
      },
    },
    VitePWA({
      registerType: 'autoUpdate',
      injectRegister: null,
      includeManifestIcons: false,
      manifest: {
        name: 'Haechi',
        short_name: 'Haechi',
        description: 'Messages, money and everything else, kept by those who use it.',
        id: '/',
        start_url: '/',
        scope: '/',
        display: 'standalone',
        background_color: '#fbf7f3',
        theme_color: '#fbf7f3',
        icons: [
          { src: '/icon-192.png', sizes: '192x192', type: 'image/png' },
          { src: '/icon-512.png', sizes: '512x512', type: 'image/png' },
          { src: '/icon-maskable-512.png', sizes: '512x512', type: 'image/png', purpose: 'maskable' },
        ],
      },
      workbox: {
        globPatterns: ['**/*.{html,js,css,svg,webmanifest}'],
        // The Matrix library is fetched after sign-in only, and kept when it was.
        globIgnores: ['**/matrix-*.js'],
        navigateFallback: '/index.html',
        navigateFallbackDenylist: [
          /^\/api\//,
          /^\/_matrix\//,
          /^\/\.well-known\//,
          /^\/health\//,
          /^\/metrics/,
        ],
        cleanupOutdatedCaches: true,
        runtimeCaching: [
          {
            urlPattern: /\/assets\/matrix-.*\.js$/,
            handler: 'CacheFirst',
            options: { cacheName: 'matrix-library', expiration: { maxEntries: 4 } },
          },
        ],
      },
    }),
  ],
  build: {
    target: ['chrome123', 'safari17.5', 'firefox120'],
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1200,
    rollupOptions: {
      output: {
        // The Matrix library and what only it needs get a name that the service worker can tell.
        chunkFileNames: ({ moduleIds }) =>
          moduleIds.some((id) => id.includes('/matrix-js-sdk/'))
            ? 'assets/matrix-[hash].js'
            : 'assets/[name]-[hash].js',
      },
    },
  },
  server: { port: 5173, proxy },
  preview: { port: 4173, proxy },
  test: { environment: 'node', include: ['src/**/*.test.ts'] },
});
