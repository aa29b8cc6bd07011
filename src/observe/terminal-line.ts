// A line of the log as a person reads it in a terminal: time, level, event, and the fields as `name=value`.

import { styleText } from 'node:util';
import { z } from 'zod';

const lineSchema = z.looseObject({ level: z.string(), time: z.string(), event: z.string() });
const COLOURS: Readonly<Record<string, 'red' | 'yellow' | 'gray'>> = {
  error: 'red',
  warn: 'yellow',
  debug: 'gray',
};

export function terminalLine(json: string): string {
  const { level, time, event, ...fields } = lineSchema.parse(JSON.parse(json));
  const clock = time.slice(11, 23);
  const colour = COLOURS[level];
  const shownLevel =
    colour === undefined ? level : styleText(colour, level, { validateStream: false });
  const pairs = Object.entries(fields).map(([name, value]) => `${name}=${show(value)}`);
  return `${[clock, shownLevel, event, ...pairs].join(' ')}\n`;
}

function show(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
}
