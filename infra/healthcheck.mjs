// Asks the service in this container whether it is ready and makes progress. Without a space in its command, so that every engine runs it as it is written.
import { get } from 'node:http';

for (const path of ['/health/live', '/health/ready']) {
  get({ host: '127.0.0.1', port: process.env.PORT, path, timeout: 2500, agent: false }, (response) => {
    response.resume();
    if (response.statusCode !== 200) process.exit(1);
  })
    .on('timeout', () => process.exit(1))
    .on('error', () => process.exit(1));
}
