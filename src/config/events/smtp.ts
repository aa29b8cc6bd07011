// The mail server as the mails need it, from its three variables.

import type { MailSettings } from '../../endpoints/mail/mail-sender.ts';
import type { Config, ReadSettings } from '../config.ts';

export function checkSmtp({ given }: ReadSettings, faults: string[]): void {
  const both = ['NDS_SMTP_URL', 'NDS_SMTP_FROM'];
  const missing = both.filter((name) => !given.has(name));
  const [set] = both.filter((name) => given.has(name));
  if (set !== undefined && missing.length > 0) faults.push(`${missing[0]} is required by ${set}`);
}

/** Undefined if no mails are to be sent. */
export function mailSettingsOf({
  smtpServer: server,
  smtpFrom: from,
  smtpStartTls: hasStartTls,
}: Pick<Config, 'smtpServer' | 'smtpFrom' | 'smtpStartTls'>): MailSettings | undefined {
  if (server === undefined || from === undefined) return undefined;
  return { server, from, hasStartTls };
}
