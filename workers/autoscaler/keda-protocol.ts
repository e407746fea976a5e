// KEDA's external scaler as gRPC has it (externalscaler.proto in KEDA 2.20): its calls, and the messages they carry.

/** A message by its fields: number and type. */
const message = (fields: Record<string, readonly [number, string]>) => ({
  fields: Object.fromEntries(Object.entries(fields).map(([name, [id, type]]) => [name, { id, type }])),
});
const repeated = (id: number, type: string) => ({ id, type, rule: 'repeated' });
const call = (requestType: string, responseType: string, responseStream = false) => ({
  ...{ requestType, responseType },
  ...(responseStream && { responseStream }),
});

export const externalScaler = {
  nested: {
    externalscaler: {
      nested: {
        ExternalScaler: {
          methods: {
            IsActive: call('ScaledObjectRef', 'IsActiveResponse'),
            StreamIsActive: call('ScaledObjectRef', 'IsActiveResponse', true),
            GetMetricSpec: call('ScaledObjectRef', 'GetMetricSpecResponse'),
            GetMetrics: call('GetMetricsRequest', 'GetMetricsResponse'),
            StreamMetricSpec: call('ScaledObjectRef', 'GetMetricSpecResponse', true),
          },
        },
        ScaledObjectRef: {
          fields: {
            name: { id: 1, type: 'string' },
            namespace: { id: 2, type: 'string' },
            scalerMetadata: { id: 3, type: 'string', keyType: 'string' },
          },
        },
        IsActiveResponse: message({ result: [1, 'bool'] }),
        GetMetricSpecResponse: { fields: { metricSpecs: repeated(1, 'MetricSpec') } },
        MetricSpec: message({ metricName: [1, 'string'], targetSize: [2, 'int64'], targetSizeFloat: [3, 'double'] }),
        GetMetricsRequest: message({ scaledObjectRef: [1, 'ScaledObjectRef'], metricName: [2, 'string'] }),
        GetMetricsResponse: { fields: { metricValues: repeated(1, 'MetricValue') } },
        MetricValue: message({ metricName: [1, 'string'], metricValue: [2, 'int64'], metricValueFloat: [3, 'double'] }),
      },
    },
  },
};

/** Who asks, and the metadata of the trigger: `pool` is its name. */
export interface ScaledObjectRef {
  name: string;
  namespace: string;
  scalerMetadata: Record<string, string>;
}

export interface Active {
  result: boolean;
}

export interface MetricSpecs {
  metricSpecs: { metricName: string; targetSize: number; targetSizeFloat: number }[];
}

export interface MetricsRequest {
  scaledObjectRef: ScaledObjectRef | null;
  metricName: string;
}

export interface MetricValues {
  metricValues: { metricName: string; metricValue: number; metricValueFloat: number }[];
}
