/**
 * What each master of the bus may touch once the normal world runs; what is not here is denied. The monitor sets
 * and locks it before it starts the kernel, and then is held by it itself until reset. The normal world reaches its
 * devices only; everything in flash goes through the monitor's calls.
 */
export const FIREWALL_RULES = [
  { master: 'pluton', region: 'fuses', read: true, write: true },
  { master: 'pluton', region: 'plutonMailbox', read: true, write: true },
  { master: 'secure', region: 'plutonMailbox', read: true, write: true },
  { master: 'secure', region: 'watchdog', read: true, write: true },
  // Of no use once the firewall is locked: what holds then is the lock.
  { master: 'secure', region: 'firewall', read: true, write: true },
  { master: 'secure', region: 'bootRecord', read: true, write: true },
  { master: 'secure', region: 'system', read: true, write: true },
  { master: 'secure', region: 'applications', read: true, write: true },
  { master: 'secure', region: 'records', read: true, write: true },
  { master: 'secure', region: 'mutable', read: true, write: true },
  { master: 'normal', region: 'gpio', read: true, write: true },
  { master: 'normal', region: 'network', read: true, write: true },
] as const;
