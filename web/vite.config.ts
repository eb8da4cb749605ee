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
        // The Matrix library is fetched after sign-in only, its encryption for secret chats only, and kept when it was.
        globIgnores: ['**/matrix-*.js', '**/encryption-*.js', 'push-worker.js'],
        importScripts: ['/push-worker.js'],
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
            urlPattern: /\/assets\/(matrix|encryption)[-_].*\.(js|wasm)$/,
            handler: 'CacheFirst',
            options: { cacheName: 'matrix-library', expiration: { maxEntries: 8 } },
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
        chunkFileNames: ({ moduleIds }) => {
          const holds = (part: string) => moduleIds.some((id) => id.includes(part));
          if (holds('/matrix-sdk-crypto-wasm/')) return 'assets/encryption-[hash].js';
          return holds('/matrix-js-sdk/') ? 'assets/matrix-[hash].js' : 'assets/[name]-[hash].js';
        },
      },
    },
  },
  server: { port: 5173, proxy },
  preview: { port: 4173, proxy },
  test: { environment: 'node', include: ['src/**/*.test.ts'] },
});
