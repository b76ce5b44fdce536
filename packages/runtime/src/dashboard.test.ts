import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { makeMetrics } from './metrics.js';

const read = (path: string) => readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), 'utf8');

const dashboard = z
  .object({
    templating: z.object({ list: z.array(z.object({ name: z.string() })) }),
    panels: z.array(
      z.object({
        id: z.int(),
        title: z.string().min(1),
        gridPos: z.object({ x: z.int(), y: z.int(), w: z.int(), h: z.int() }),
        datasource: z.object({ type: z.literal('prometheus'), uid: z.string() }),
        targets: z.array(z.object({ refId: z.string(), expr: z.string().min(1) })).min(1),
      }),
    ),
  })
  .parse(JSON.parse(read('grafana/dashboards/sidestage.json')));

/** What a scrape of a service has: sample names with their label names. */
async function samplesOfService(): Promise<Map<string, Set<string>>> {
  const { registry } = makeMetrics('gateway', { turns: true });
  const samples = new Map([['up', new Set(['job', 'instance'])]]);
  for (const { name, type } of await registry.getMetricsAsJSON()) {
    const metric: object = registry.getSingleMetric(name) ?? {};
    const declared = 'labelNames' in metric && Array.isArray(metric.labelNames) ? metric.labelNames.map(String) : [];
    const labels = [...declared, 'service', 'job', 'instance'];
    const histogram = String(type) === 'histogram';
    for (const suffix of histogram ? ['_bucket', '_sum', '_count'] : [''])
      samples.set(name + suffix, new Set([...labels, ...(suffix === '_bucket' ? ['le'] : [])]));
  }
  return samples;
}

const wordsOfPromql = new Set(['sum', 'max', 'rate', 'by', 'le', 'or', 'histogram_quantile']);

describe('the dashboard', () => {
  it('asks for nothing a service does not expose, and for no label it does not give', async () => {
    const samples = await samplesOfService();
    for (const { title, targets } of dashboard.panels) {
      for (const { expr } of targets) {
        const plain = expr.replace(/\$__rate_interval/g, '1m').replace(/\[[^\]]*\]/g, '');
        const withoutLabels = plain.replace(/\{[^}]*\}/g, '').replace(/\bby \([^)]*\)/g, '');
        const names = (withoutLabels.match(/[a-z_][a-z_0-9]*/g) ?? []).filter((word) => !wordsOfPromql.has(word));
        expect({ title, names }).not.toEqual({ title, names: [] });
        const asked = [
          ...[...plain.matchAll(/\bby \(([^)]*)\)/g)].flatMap((match) => String(match[1]).split(/,\s*/)),
          ...[...plain.matchAll(/([a-z_]+)(?==|!=|=~|!~)/g)].map((match) => String(match[1])),
        ];
        for (const name of names) {
          expect([...samples.keys()]).toContain(name);
          for (const label of asked)
            expect({ name, labels: [...(samples.get(name) ?? [])] }).toEqual({
              name,
              labels: expect.arrayContaining([label]),
            });
        }
      }
    }
  });

  it('has each panel once, beside the others, on the data source that is chosen', () => {
    const ids = dashboard.panels.map((panel) => panel.id);
    expect(new Set(ids).size).toBe(ids.length);
    const places = dashboard.panels.map(({ gridPos }) => `${gridPos.x},${gridPos.y}`);
    expect(new Set(places).size).toBe(places.length);
    for (const { gridPos, datasource } of dashboard.panels) {
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      expect(dashboard.templating.list.map((variable) => `\${${variable.name}}`)).toContain(datasource.uid);
    }
  });
});

describe('prometheus.yml and docker-compose.yml', () => {
  it('agree on the services and the ports they are scraped at', () => {
    const compose = read('docker-compose.yml');
    const jobs = [
      ...read('prometheus/prometheus.yml').matchAll(
        /job_name: (\S+)\s+dns_sd_configs: \[\{ names: \[(\S+)\], type: A, port: (\d+)/g,
      ),
    ];
    expect(jobs.map((job) => job[1])).toEqual(['gateway', 'chat-worker', 'retrieval', 'web']);
    for (const [, job, name, port] of jobs) {
      expect(name).toBe(job);
      const block = compose.split(`\n  ${name}:\n`)[1]?.split(/\n {2}\S/)[0] ?? '';
      expect(block).toContain(`PORT: ${port}`);
    }
  });
});
