// Why a mail was not accepted, and what the operator does next. docs/events.md lists this table.

export const MAIL_FAILURES = {
  smtp_not_configured: 'Set NDS_SMTP_URL and NDS_SMTP_FROM.',
  unknown_host: 'Check the host in NDS_SMTP_URL.',
  connection_refused: 'Check host and port in NDS_SMTP_URL, and the firewall.',
  connection_lost: 'The server closed the connection: its log says why.',
  timeout: 'The server did not answer in time: check host, port and firewall.',
  no_starttls:
    'The server offers no STARTTLS: use smtps://, or NDS_SMTP_STARTTLS=off for a server on the same machine.',
  tls_failed: 'The server speaks no TLS at this port: smtps:// is for 465, smtp:// for 587.',
  bad_certificate:
    'The certificate is not valid for the host in NDS_SMTP_URL; NODE_EXTRA_CA_CERTS trusts an authority of your own.',
  login_refused: 'Check user and password in NDS_SMTP_URL.',
  sender_refused: 'The server does not take mails from NDS_SMTP_FROM.',
  recipient_refused: 'The server does not take mails to this address.',
  mail_refused: 'The server rejected this mail: its log says why.',
  bad_answer: 'The server refused the connection, or is not a mail server.',
} as const satisfies Record<string, string>;

export type MailFailure = keyof typeof MAIL_FAILURES;
