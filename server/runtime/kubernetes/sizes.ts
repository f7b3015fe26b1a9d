/** Sizes of volumes as Kubernetes writes them. Pure. */

const units: Readonly<Record<string, number>> = {
  '': 1,
  ...Object.fromEntries(['k', 'M', 'G', 'T', 'P', 'E'].map((unit, at) => [unit, 1_000 ** (at + 1)])),
  ...Object.fromEntries(['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'].map((unit, at) => [unit, 1_024 ** (at + 1)])),
};

/** The bytes of a size as the API server writes it; undefined where it is none. */
export function bytesOf(quantity: string | undefined): number | undefined {
  const [, digits = '', unit = ''] = /^([0-9.]+)([a-zA-Z]*)$/.exec(quantity ?? '') ?? [];
  const factor = units[unit];
  return digits === '' || factor === undefined ? undefined : Number(digits) * factor;
}

/** Bytes in the largest unit that says them exactly. */
export function sizeText(bytes: number): string {
  const unit = ['Ti', 'Gi', 'Mi', 'Ki'].find((one) => bytes % (units[one] ?? 1) === 0);
  return unit === undefined || bytes === 0 ? String(bytes) : `${bytes / (units[unit] ?? 1)}${unit}`;
}
