// What the page shows about several machines, whichever of them answers.

import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { callPage, PAGE_ENVIRONMENT, PAGE_KEYS, sessionWith } from '../support/page-calls.ts';
import { ANDROID_TOKEN } from '../support/service.ts';
import { query, SERVERS, useDatabases } from './databases.ts';
import { type Machine, startMachines } from './machines.ts';

const readinessSchema = z.object({ node: z.string() });

type Running = Pick<Machine, 'service'>;

async function nodeOf({ service }: Running): Promise<string> {
  const answer = await fetch(`${service.url}/readyz`);
  return readinessSchema.parse(await answer.json()).node;
}

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newDatabase } = useDatabases(server);

  /** A view as text, and its lines about machines. */
  async function look(machine: Running, path: string, cookie: string) {
    const { status, text } = await callPage(machine, { path, cookie });
    expect(status).toBe(200);
    const lines = [...text.matchAll(/<li>(<b class="badge.*?)<\/li>/g)].map(([, line = '']) =>
      line.replaceAll(/<[^>]*>/g, ''),
    );
    return { text, lines };
  }

  test('names the machines that run, what each does and sees, and which of them answers', async () => {
    const url = await newDatabase();
    const { first, start } = await startMachines(url, PAGE_ENVIRONMENT);
    const second = await start();
    const [here, there] = await Promise.all([nodeOf(first), nodeOf(second)]);
    const rows = await query(url, 'SELECT id FROM nodes');
    expect(rows.map(({ id }) => id).toSorted()).toEqual([here, there].toSorted());

    // A session of one machine is valid at the other, and the list is the same there.
    const cookie = await sessionWith(first, PAGE_KEYS.read);
    expect((await second.pay(ANDROID_TOKEN, 'aa')).body.status).toBe('delivered');
    await second.service.settled();
    for (const machine of [first, second]) {
      expect((await look(machine, '/view/log', cookie)).text).toContain('payment_received');
    }
    const since = '\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d';
    const healthy = await look(second, '/view/now', cookie);
    expect(healthy.text).toContain('<h2>2 machines</h2>');
    expect(healthy.text).toContain('<dt>in flight here</dt>');
    expect(healthy.lines).toEqual([
      expect.stringMatching(`^running ${here} · since ${since} · 0 deliveries under way$`),
      expect.stringMatching(`^running ${there} \\(answers now\\) · since ${since} · 0 deliveries`),
    ]);

    await query(
      url,
      `INSERT INTO outages (app, provider, reason, began_at, ended_at, node) VALUES
         ('default', 'fcm', 'http_503', now(), NULL, '${there}'),
         ('default', 'apns', 'timeout', now(), now(), '${there}')`,
    );
    await query(
      url,
      `INSERT INTO nodes (id, beat, epoch, started_at, beaten_at)
       VALUES ('gone', 7, 1, now() - interval '1 hour', now() - interval '14 seconds')`,
    );
    const { lines } = await look(first, '/view/now', cookie);
    expect(lines).toEqual([
      expect.stringMatching(
        `^silent gone · since ${since} · no sign of life for 1[4-9] s, 0 deliveries left to the others$`,
      ),
      expect.stringMatching(`^running ${here} \\(answers now\\) · `),
      expect.stringMatching(
        `^degraded ${there} · since .* under waydefault/fcm: http_503 since \\d\\d:\\d\\d:\\d\\d$`,
      ),
    ]);
  });
});
