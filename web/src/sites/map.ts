/** Where things stand on the map of sites. Pure: degrees in, drawing units out. */
import { ISLETS, OUTLINE } from './korea';

/** Drawing units of a degree of latitude. */
const UNITS = 100;
/** A label is so high, and about so wide for each character; Hangul is wider than Latin. */
const LABEL_HEIGHT = 30;
const LATIN_WIDTH = 13;
const HANGUL_WIDTH = 22;
/** Between a pin and its label. */
const GAP = 17;
/** Around sites that are not in Korea, in degrees. */
const MARGIN = 1;

export interface Place {
  name: string;
  title: string;
  latitude: number;
  longitude: number;
}

export interface Label {
  x: number;
  y: number;
  anchor: 'start' | 'middle' | 'end';
}

export interface Pin {
  name: string;
  title: string;
  x: number;
  y: number;
  label: Label;
}

export interface SiteMap {
  width: number;
  height: number;
  /** The coast, as paths; none where we have no honest outline. */
  coast: string[];
  islets: { x: number; y: number }[];
  /** Lines of whole degrees, for a map without a coast. */
  meridians: number[];
  parallels: number[];
  pins: Pin[];
}

interface Frame {
  west: number;
  east: number;
  south: number;
  north: number;
}

const KOREA: Frame = { west: 125.1, east: 132, south: 33, north: 38.8 };

export function siteMap(places: readonly Place[]): SiteMap {
  const inKorea = places.every(
    ({ latitude, longitude }) =>
      latitude > KOREA.south && latitude < KOREA.north && longitude > KOREA.west && longitude < KOREA.east,
  );
  const frame = inKorea ? KOREA : frameOf(places);
  // A degree of longitude is shorter the farther north it is.
  const narrowing = Math.cos(((frame.north + frame.south) / 2) * (Math.PI / 180));
  const x = (longitude: number) => round((longitude - frame.west) * UNITS * narrowing);
  const y = (latitude: number) => round((frame.north - latitude) * UNITS);
  const points = places.map(({ name, title, latitude, longitude }) => ({
    name,
    title,
    x: x(longitude),
    y: y(latitude),
  }));
  return {
    width: x(frame.east),
    height: y(frame.south),
    coast: inKorea
      ? OUTLINE.map((ring) => `M${ring.map(([east, north]) => `${x(east)},${y(north)}`).join('L')}Z`)
      : [],
    islets: inKorea ? ISLETS.map(([east, north]) => ({ x: x(east), y: y(north) })) : [],
    meridians: inKorea ? [] : wholeDegrees(frame.west, frame.east).map(x),
    parallels: inKorea ? [] : wholeDegrees(frame.south, frame.north).map(y),
    pins: withLabels(points),
  };
}

function frameOf(places: readonly Place[]): Frame {
  const longitudes = places.map((place) => place.longitude);
  const latitudes = places.map((place) => place.latitude);
  return {
    west: Math.min(...longitudes) - MARGIN,
    east: Math.max(...longitudes) + MARGIN * 2,
    south: Math.min(...latitudes) - MARGIN,
    north: Math.max(...latitudes) + MARGIN,
  };
}

interface Box {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

/** Gives each pin a label that covers no other pin and no other label, as far as there is room. */
function withLabels(points: Omit<Pin, 'label'>[]): Pin[] {
  const taken: Box[] = points.map(({ x, y }) => ({ left: x - 9, right: x + 9, top: y - 9, bottom: y + 9 }));
  const labels = new Map<string, Label>();
  // From east to west: the eastern one of two neighbours has the sea to its right.
  for (const point of [...points].sort((a, b) => b.x - a.x)) {
    const ways = waysOf(point);
    const free = ways.find(({ box }) => !taken.some((other) => overlap(box, other)));
    const { label, box } = free ?? ways[0]!;
    taken.push(box);
    labels.set(point.name, label);
  }
  return points.map((point) => ({ ...point, label: labels.get(point.name)! }));
}

function waysOf({ x, y, title }: Omit<Pin, 'label'>): { label: Label; box: Box }[] {
  const width = [...title].reduce(
    (sum, letter) => sum + (/\p{Script=Hangul}/u.test(letter) ? HANGUL_WIDTH : LATIN_WIDTH),
    0,
  );
  const way = (label: Label, left: number) => ({
    label,
    box: { left, right: left + width, top: label.y - LABEL_HEIGHT / 2, bottom: label.y + LABEL_HEIGHT / 2 },
  });
  return [
    way({ x: x + GAP, y, anchor: 'start' }, x + GAP),
    way({ x: x - GAP, y, anchor: 'end' }, x - GAP - width),
    way({ x, y: y + GAP + LABEL_HEIGHT / 2, anchor: 'middle' }, x - width / 2),
    way({ x, y: y - GAP - LABEL_HEIGHT / 2, anchor: 'middle' }, x - width / 2),
  ];
}

function overlap(a: Box, b: Box): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

function wholeDegrees(from: number, to: number): number[] {
  const degrees = [];
  for (let degree = Math.ceil(from); degree <= to; degree += 1) degrees.push(degree);
  return degrees;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
