import { expect, it } from 'vitest';
import { previewIn } from './previews.svelte';

const url = 'https://news.example/a';

it('reads what a page says of itself', () =>
  expect(previewIn({ 'og:title': ' News ', 'og:description': 'More', 'og:image': 'mxc://h/1' }, url)).toEqual(
    {
      title: 'News',
      text: 'More',
      site: 'news.example',
      image: 'mxc://h/1',
    },
  ));
it('shows no picture from anywhere else', () =>
  expect(previewIn({ 'og:title': 'x', 'og:image': 'https://evil.example/1.png' }, url)?.image).toBe(''));
it.each([null, {}, { 'og:title': '  ' }, 7])('is nothing without a title: %j', (answer) =>
  expect(previewIn(answer, url)).toBe(null),
);
