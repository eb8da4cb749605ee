// Draws the PNG icons of the installed app from public/favicon.svg, with a local Chromium and no network.
// Run by hand (`npm run icons`) after the mark changed; the PNGs are committed.
import { readFileSync, writeFileSync } from 'node:fs';
import { chromium } from 'playwright-core';

const mark = readFileSync(new URL('../public/favicon.svg', import.meta.url), 'utf8');
// On a mask the system cuts the corners itself: the ground goes to the edge, the beast stays in the safe middle.
const icons = [
  { file: 'icon-192.png', size: 192, inset: 0, ground: 'transparent' },
  { file: 'icon-512.png', size: 512, inset: 0, ground: 'transparent' },
  {
    file: 'icon-maskable-512.png',
    size: 512,
    inset: 0.1,
    ground: 'linear-gradient(160deg, #e8612a, #a83407)',
  },
  {
    file: 'apple-touch-icon.png',
    size: 180,
    inset: 0.04,
    ground: 'linear-gradient(160deg, #e8612a, #a83407)',
  },
];

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
});
try {
  const page = await browser.newPage();
  for (const { file, size, inset, ground } of icons) {
    const bare = ground === 'transparent' ? mark : mark.replace(/<rect [^>]*\/>/, '');
    await page.setViewportSize({ width: size, height: size });
    await page.setContent(
      `<style>html,body{margin:0;height:100%}body{display:grid;place-items:center;background:${ground}}
       svg{width:${size * (1 - 2 * inset)}px;height:${size * (1 - 2 * inset)}px}</style>${bare}`,
    );
    const png = await page.screenshot({ omitBackground: true });
    writeFileSync(new URL(`../public/${file}`, import.meta.url), png);
    console.log(file, png.length);
  }
} finally {
  await browser.close();
}
