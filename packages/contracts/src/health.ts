/** Bodies of the health and information routes every service has. */
export interface HealthView {
  status: 'ok' | 'degraded' | 'failing';
  service: string;
  version: string;
  uptime_seconds: number;
}
export interface DependencyView {
  status: 'ok' | 'degraded' | 'failing' | 'unused';
  latency_ms: number | null;
  detail?: string;
  pool?: { total: number; idle: number; waiting: number; max: number };
}
export interface DetailedHealthView extends HealthView {
  dependencies: Record<string, DependencyView>;
  queue?: { waiting: number; running: number; oldest_seconds: number | null };
  connections?: number;
}
