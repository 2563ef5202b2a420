/**
 * The newest application runtime whose interface this OS offers, as the manifest's TargetApplicationRuntimeVersion
 * and the package's ABIDepends name it (azure-sphere.md §4.3: 16 is that of release 23.05). Older ones run too.
 */
export const APPLICATION_RUNTIME_VERSION = 16;
