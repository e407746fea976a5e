// Windows of time in which moves may begin: `22:00-06:00`, `sat,sun`, `mon-fri 22:00-06:00`; in the local time of the machine.

const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
const day = `(?:${days.join('|')})`;
const pattern = new RegExp(
  `^(?:(${day}(?:-${day})?(?:,${day}(?:-${day})?)*)(?: +|$))?(?:([01]\\d|2[0-3]):([0-5]\\d)-([01]\\d|2[0-4]):([0-5]\\d))?$`,
);

/** How a window is written, for people. */
export const windowWords =
  'HH:MM-HH:MM, with days before it where not all are meant: mon-fri 22:00-06:00, or days alone';

/** Minutes of a day; one that goes on past midnight ends beyond 1440, and belongs to the day on which it began. */
interface Window {
  days: ReadonlySet<number>;
  from: number;
  to: number;
}

/** A moment in local time: 0 is Sunday, and the minutes since midnight. */
export interface LocalTime {
  day: number;
  minute: number;
}

const dayLong = 24 * 60;

/** Undefined where the text is no window. */
export function windowOf(text: string): Window | undefined {
  const [said, daysSaid, fromHour, fromMinute, toHour, toMinute] = pattern.exec(text.trim().toLowerCase()) ?? [];
  if (said === undefined || said === '') return undefined;
  const within = daysSaid === undefined ? new Set(days.keys()) : daysOf(daysSaid);
  if (fromHour === undefined) return { days: within, from: 0, to: dayLong };
  const from = Number(fromHour) * 60 + Number(fromMinute);
  const to = Number(toHour) * 60 + Number(toMinute);
  if (to > dayLong) return undefined;
  // From and to the same: the whole day.
  return { days: within, from, to: to > from ? to : to + dayLong };
}

function daysOf(text: string): Set<number> {
  const all = new Set<number>();
  for (const part of text.split(',')) {
    const [first = 0, last = first] = part.split('-').map((word) => days.indexOf(word as (typeof days)[number]));
    for (let at = first; ; at = (at + 1) % days.length) {
      all.add(at);
      if (at === last) break;
    }
  }
  return all;
}

/** Whether moves may begin at this moment; with no windows always. What can't be read lets nothing begin. */
export function isOpen(windows: readonly string[], { day, minute }: LocalTime): boolean {
  if (windows.length === 0) return true;
  const before = (day + days.length - 1) % days.length;
  return windows.some((text) => {
    const window = windowOf(text);
    if (!window) return false;
    const { days: within, from, to } = window;
    return (within.has(day) && minute >= from && minute < to) || (within.has(before) && minute + dayLong < to);
  });
}

/** The moment in the local time of this machine. */
export function localTime(milliseconds: number): LocalTime {
  const at = new Date(milliseconds);
  return { day: at.getDay(), minute: at.getHours() * 60 + at.getMinutes() };
}
