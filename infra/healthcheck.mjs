// Asks the service in this container whether it is ready. Without a space in its command, so that every engine runs it as it is written.
import { get } from 'node:http';

get({ host: '127.0.0.1', port: process.env.PORT, path: '/health/ready', timeout: 2500 }, (response) => {
  process.exit(response.statusCode === 200 ? 0 : 1);
})
  .on('timeout', () => process.exit(1))
  .on('error', () => process.exit(1));
