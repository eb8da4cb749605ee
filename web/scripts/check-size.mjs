// Measures what a first visit downloads up to the sign-in page, and what comes after sign-in (gzip, kB of 1000 bytes).
// Encryption is loaded for the first secret chat only, and counts by itself. Fails the build when the first passes 100 kB, both together
// pass 400 kB, or the scripts of encryption, whose 8 MB of WebAssembly the browser streams beside them, pass 200 kB.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const dist = fileURLToPath(new URL('../dist/', import.meta.url));
const limits = { first: 100, all: 400, encryption: 200 };
const isEncryption = (file) => /encryption-[^/]*\.js$/.test(file);

/** A file of the build and all it imports statically; dynamic imports are collected in `later`. */
function collect(file, seen, later) {
  if (seen.has(file) || !existsSync(join(dist, file))) return;
  seen.add(file);
  if (!file.endsWith('.js')) return;
  const code = readFileSync(join(dist, file), 'utf8');
  const at = (name) => normalize(join(dirname(file), name));
  for (const [, name] of code.matchAll(/(?:from|import)\s*["'`](\.[^"'`]+)["'`]/g))
    collect(at(name), seen, later);
  for (const [, name] of code.matchAll(/import\(\s*["'`](\.[^"'`]+)["'`]/g)) later.add(at(name));
  // The style sheets a lazy part brings are listed by name in Vite's preload map.
  for (const [, name] of code.matchAll(/["'`](assets\/[^"'`]+\.css)["'`]/g)) later.add(normalize(name));
}

function kilobytes(files) {
  const bytes = [...files].reduce((sum, file) => sum + gzipSync(readFileSync(join(dist, file))).length, 0);
  return bytes / 1000;
}

const page = readFileSync(join(dist, 'index.html'), 'utf8');
const [first, later] = [new Set(), new Set()];
for (const [, name] of page.matchAll(/(?:src|href)="\/(assets\/[^"]+\.(?:js|css))"/g))
  collect(name, first, later);
const all = new Set(first);
const encryption = new Set();
for (const file of later) {
  if (isEncryption(file)) encryption.add(file);
  else collect(file, all, later);
}

const sizes = { first: kilobytes(first), all: kilobytes(all), encryption: kilobytes(encryption) };
console.log(`First visit up to sign-in: ${sizes.first.toFixed(1)} kB gzip (limit ${limits.first})`);
console.log(`With everything after sign-in: ${sizes.all.toFixed(1)} kB gzip (limit ${limits.all})`);
console.log(
  `Encryption, with the first secret chat: ${sizes.encryption.toFixed(1)} kB gzip (limit ${limits.encryption})`,
);
for (const [name, limit] of Object.entries(limits)) {
  if (sizes[name] > limit) {
    console.error(`Too large: ${name} is over ${limit} kB gzip`);
    process.exitCode = 1;
  }
}
