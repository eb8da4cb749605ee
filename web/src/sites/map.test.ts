import { describe, expect, it } from 'vitest';
import { siteMap } from './map';

const place = (name: string, latitude: number, longitude: number) => ({
  name,
  title: name,
  latitude,
  longitude,
});
const four = [
  place('Pangyo', 37.402, 127.101),
  place('Gasan', 37.478, 126.882),
  place('Sejong', 36.48, 127.289),
  place('Busan', 35.18, 129.076),
];

describe('the map of sites', () => {
  it('is Korea for sites in Korea, and all of it lies inside', () => {
    const map = siteMap(four);
    expect(map.coast.length).toBeGreaterThan(1);
    expect(map.meridians).toEqual([]);
    const numbers = map.coast.join(' ').match(/-?[\d.]+,-?[\d.]+/g)!;
    for (const pair of numbers) {
      const [x, y] = pair.split(',').map(Number) as [number, number];
      expect(x).toBeGreaterThan(0);
      expect(x).toBeLessThan(map.width);
      expect(y).toBeGreaterThan(0);
      expect(y).toBeLessThan(map.height);
    }
  });

  it('has north at the top and east at the right', () => {
    const [pangyo, gasan, , busan] = siteMap(four).pins;
    expect(busan!.y).toBeGreaterThan(pangyo!.y);
    expect(busan!.x).toBeGreaterThan(pangyo!.x);
    expect(gasan!.x).toBeLessThan(pangyo!.x);
  });

  it('keeps the labels of neighbours apart', () => {
    const [pangyo, gasan] = siteMap(four).pins;
    expect([pangyo!.label.anchor, gasan!.label.anchor]).toEqual(['start', 'end']);
  });

  it('labels even sites at one and the same place', () => {
    const crowd = Array.from({ length: 6 }, (_, index) => place(`site-${index}`, 37, 127));
    expect(siteMap(crowd).pins.map((pin) => pin.label.anchor)).toHaveLength(6);
  });

  it('draws degrees and no coast for sites elsewhere', () => {
    const map = siteMap([place('Helsinki', 60.17, 24.94), place('Tampere', 61.5, 23.76)]);
    expect(map.coast).toEqual([]);
    expect(map.parallels.length).toBeGreaterThan(1);
    for (const { x, y } of map.pins) {
      expect(x > 0 && x < map.width && y > 0 && y < map.height).toBe(true);
    }
  });
});
