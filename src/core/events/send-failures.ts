// Why a call to an endpoint has no answer, and what to do: docs/events.md lists this table.

export const SEND_FAILURES = {
  address_refused:
    'The address is not on the public internet: NDS_ENDPOINT_NETWORKS allows networks of your own.',
  unknown_host: 'The name has no address: check the URL and DNS.',
  connection_refused: 'Nothing listens there: check host, port and firewall.',
  connection_lost: 'The receiver closed the connection before it answered: its log says why.',
  bad_certificate:
    'The certificate is not valid for this host; NODE_EXTRA_CA_CERTS trusts an authority of your own.',
  timeout:
    'The receiver did not answer within 15 s: let it answer first, and process the event afterwards.',
} as const;

export type SendFailure = keyof typeof SEND_FAILURES;
