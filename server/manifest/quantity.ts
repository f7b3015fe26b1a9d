/** Kubernetes quantities (`10Gi`, `500M`, `1.5e3`), as far as storage and memory need them. */

const units: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

const form =
  /^([+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40}))(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?[0-9]{1,3})?$/;

/** The number that a quantity stands for, in its base unit (bytes, cores); `undefined` where it is none. */
export function quantityOf(written: unknown): number | undefined {
  if (typeof written !== 'string' && typeof written !== 'number') return undefined;
  const match = form.exec(String(written));
  if (match === null) return undefined;
  const [, digits = '', unit = ''] = match;
  const factor = units[unit] ?? 10 ** Number(unit.slice(1));
  const value = Number(digits) * factor;
  return Number.isFinite(value) ? value : undefined;
}
