/** A name for this device that a person knows again in the list of devices: `Chrome on Android`. */
export function deviceName(agent = navigator.userAgent): string {
  const first = (names: [RegExp, string][], otherwise: string) =>
    names.find(([pattern]) => pattern.test(agent))?.[1] ?? otherwise;
  const browser = first(
    [
      [/SamsungBrowser/, 'Samsung Internet'],
      [/Whale/, 'Whale'],
      [/Edg/, 'Edge'],
      [/Firefox|FxiOS/, 'Firefox'],
      [/Chrome|CriOS/, 'Chrome'],
      [/Safari/, 'Safari'],
    ],
    'Browser',
  );
  const system = first(
    [
      [/iPhone|iPad/, 'iPhone'],
      [/Android/, 'Android'],
      [/Windows/, 'Windows'],
      [/Mac OS X/, 'Mac'],
      [/CrOS/, 'ChromeOS'],
      [/Linux/, 'Linux'],
    ],
    '',
  );
  return system ? `${browser} · ${system}` : browser;
}
