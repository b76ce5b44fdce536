import { describe, expect, test } from '@jest/globals';
import { readConfig } from '../config.js';
import { chatCommand } from '../show-addresses.js';
import { readDemoMaterial } from './demo-material.js';

const material = readDemoMaterial(readConfig({}, []).demoDir);

describe('the demo’s material', () => {
  test('is three creators of six sources or more, as the API takes them', () => {
    expect(material).toHaveLength(3);
    for (const { body, sources } of material) {
      expect(body.questions?.length).toBeGreaterThan(0);
      expect(sources.length).toBeGreaterThanOrEqual(6);
      expect(new Set(sources.map(({ title }) => title)).size).toBe(sources.length);
    }
  });

  test('becomes a command that survives a shell, whatever the question holds', () => {
    const demo = {
      gateway: 'http://localhost:8000',
      api_keys: { free: 'f', premium: 'sk_p', enterprise: 'e' },
      operator: { email: 'o', password: 'o' },
      creator: { email: 'c', password: 'c' },
      fan: { email: 'f', password: 'f' },
      tenant_id: 't',
      creators: [{ id: '1', slug: 'x', name: 'X' }],
    };
    const creator = { body: { slug: 'x', name: 'X', questions: ["What's proof?"] }, sources: [] };
    const command = chatCommand(demo, [creator]);
    expect(command).toContain(`'{"creator_id":"x","message":"What'\\''s proof?"}'`);
    expect(command).toContain("-H 'Authorization: Bearer sk_p'");
  });
});
