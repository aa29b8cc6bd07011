// PaymentFlow: payments by card, told once per endpoint.

import { createPaymentEvents } from './payment-events.ts';

export const paymentflow = createPaymentEvents('paymentflow', 'paymentflow-signature');
