import type { Manifest } from './helm.ts';

/** Which package has the models of an API group. */
const PACKAGES: Record<string, string> = {
  'keda.sh': '@kubernetes-models/keda',
  'gateway.networking.k8s.io': '@kubernetes-models/gateway-api',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
  'external-secrets.io': '@kubernetes-models/external-secrets',
  'networking.istio.io': '@kubernetes-models/istio',
  'security.istio.io': '@kubernetes-models/istio',
};

interface Model {
  prototype: { validate(this: object): void };
}

async function modelOf({ apiVersion, kind }: Manifest): Promise<Model> {
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
  const models = (await import(`${PACKAGES[group] ?? 'kubernetes-models'}/${apiVersion}/${kind}`)) as Record<
    string,
    Model
  >;
  const model = models[kind];
  if (!model) throw new Error(`there is no model of ${apiVersion} ${kind}`);
  return model;
}

/**
 * Why a cluster would not take an object as it is meant: values that its schema refuses, and fields that it doesn't
 * know, which a cluster drops with no more than a warning.
 */
export async function faultsOf(manifest: Manifest): Promise<string[]> {
  const model = await modelOf(manifest);
  const seen = new Set<string>();
  try {
    model.prototype.validate.call(watched(manifest, '', seen));
  } catch (error) {
    return [(error as Error).message];
  }
  return pathsOf(manifest, '').filter((path) => !seen.has(path));
}

/** The same data; what is asked of it is noted. A schema asks for each field that it knows, and for no other. */
function watched<Data extends object>(data: Data, path: string, seen: Set<string>): Data {
  return new Proxy(data, {
    get(target, key, receiver) {
      const value: unknown = Reflect.get(target, key, receiver);
      if (typeof key === 'symbol' || !Object.hasOwn(target, key)) return value;
      const place = `${path}/${key}`;
      seen.add(place);
      return typeof value === 'object' && value !== null ? watched(value, place, seen) : value;
    },
  });
}

function pathsOf(data: unknown, path: string): string[] {
  if (typeof data !== 'object' || data === null) return [];
  return Object.entries(data).flatMap(([key, value]) => {
    const place = `${path}/${key}`;
    return [place, ...pathsOf(value, place)];
  });
}
