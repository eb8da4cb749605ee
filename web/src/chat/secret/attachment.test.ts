import { expect, it } from 'vitest';
import { openFile, sealFile } from './attachment';

const photo = new Blob(['not really a photo'], { type: 'image/png' });

it('opens what it sealed', async () => {
  const { file, key } = await sealFile(photo);
  expect(await file.text()).not.toContain('photo');
  const opened = await openFile(file, key, 'image/png');
  expect([await opened.text(), opened.type]).toEqual(['not really a photo', 'image/png']);
});

it('refuses what was changed on its way', async () => {
  const { key } = await sealFile(photo);
  const { file: other } = await sealFile(photo);
  await expect(openFile(other, key, 'image/png')).rejects.toThrow();
});

it('does not make a page of what says it is one', async () => {
  const { file, key } = await sealFile(photo);
  for (const type of ['text/html', 'image/svg+xml']) {
    expect((await openFile(file, key, type)).type).toBe('application/octet-stream');
  }
});

it('seals the same file differently each time', async () => {
  const keys = await Promise.all([sealFile(photo), sealFile(photo)]);
  expect(new Set(keys.map(({ key }) => key.key + key.iv)).size).toBe(2);
});
