// Payment API: PaymentFlow's text under another name.

import { createPaymentEvents } from './payment-events.ts';

export const paymentApi = createPaymentEvents('payment_api', 'payment-signature');
