/** Numbers and times as the reader's language writes them. */
const locale = navigator.language;
const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat(locale, { notation: 'compact', maximumFractionDigits: 1 });
const share = new Intl.NumberFormat(locale, { maximumFractionDigits: 2, minimumFractionDigits: 2 });
const one = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });
const unit = (name: string, digits: number) =>
  new Intl.NumberFormat(locale, {
    style: 'unit',
    unit: name,
    unitDisplay: 'narrow',
    maximumFractionDigits: digits,
  });
const milliseconds = unit('millisecond', 0);
const seconds = unit('second', 1);
const minutes = unit('minute', 0);
const hours = unit('hour', 1);
const clock = new Intl.DateTimeFormat(locale, { timeStyle: 'short' });
const full = new Intl.DateTimeFormat(locale, { dateStyle: 'long', timeStyle: 'medium' });
const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'short' });
const names = new Intl.ListFormat(locale, { type: 'conjunction' });

export const formatCount = (count: number): string => whole.format(count);
export const formatCompact = (count: number): string => compact.format(count);
export const formatShare = (value: number): string => share.format(value);
export const formatRate = (rate: number): string => one.format(rate);
export const formatClock = (iso: string): string => clock.format(new Date(iso));
export const formatFull = (iso: string): string => full.format(new Date(iso));
export const formatNames = (list: readonly string[]): string => names.format(list);

/** @param ms milliseconds */
export function formatDuration(ms: number): string {
  if (ms < 1000) return milliseconds.format(ms);
  if (ms < 60_000) return seconds.format(ms / 1000);
  if (ms < 3_600_000) {
    return `${minutes.format(Math.floor(ms / 60_000))} ${seconds.format(Math.floor((ms % 60_000) / 1000))}`;
  }
  return hours.format(ms / 3_600_000);
}

/** US dollars, with as many digits as small sums need. */
export function formatDollars(dollars: number): string {
  const digits =
    dollars === 0 || dollars >= 1 ? 2 : Math.min(6, Math.max(2, 1 - Math.floor(Math.log10(dollars))));
  return new Intl.NumberFormat(locale, {
    style: 'currency',
    currency: 'USD',
    minimumFractionDigits: 2,
    maximumFractionDigits: digits,
  }).format(dollars);
}

/** How long ago, in the largest unit that fits. */
export function formatAgo(iso: string, now = Date.now()): string {
  const past = (Date.parse(iso) - now) / 1000;
  const size = Math.abs(past);
  if (size < 60) return relative.format(Math.round(past), 'second');
  if (size < 3600) return relative.format(Math.round(past / 60), 'minute');
  if (size < 86_400) return relative.format(Math.round(past / 3600), 'hour');
  return relative.format(Math.round(past / 86_400), 'day');
}
