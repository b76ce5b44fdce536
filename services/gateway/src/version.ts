/** Of the gateway, as health and the API document tell it. */
export const version = '0.1.0';
