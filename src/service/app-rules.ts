// Makes the rules and the push format of each app from the configuration: whatever an app does not set is as for all
// apps.

import type { AppSettings } from '../config/app-settings.ts';
import type { App } from '../config/apps.ts';
import type { Config } from '../config/config.ts';
import type { AppRules, RulesByApp } from '../core/app-rules.ts';
import { CATALOGUE, type Kind, kindOf, type Title } from '../core/notification.ts';
import { DEFAULT_FORMAT, type PushFormat } from '../core/push-format.ts';

type OfAll = Pick<Config, 'titles' | 'lifetimesMs' | 'tokenForm'>;

export function rulesByApp(config: OfAll, apps: readonly App[]): RulesByApp {
  const ofAll = rulesFrom(config, {});
  const byApp = new Map(apps.map(({ name, settings }) => [name, rulesFrom(config, settings)]));
  return { ofAll, byApp };
}

function rulesFrom(config: OfAll, settings: AppSettings): AppRules {
  return {
    catalogue: catalogueOf(
      { ...config.titles, ...settings.titles },
      { ...config.lifetimesMs, ...settings.lifetimes },
    ),
    types: settings.types && new Set(settings.types),
    takesTokens: settings.token_form ?? config.tokenForm,
    tokenRate: settings.token_rate,
    hasReceipts: settings.receipts ?? false,
    hasSecondKnock: settings.second_knock ?? false,
  };
}

function catalogueOf(
  titles: Readonly<Record<string, Title>>,
  lifetimesMs: Readonly<Record<string, number>>,
): Readonly<Record<string, Kind>> {
  const catalogue: Record<string, Kind> = { ...CATALOGUE };
  for (const type of new Set([...Object.keys(titles), ...Object.keys(lifetimesMs)])) {
    const known = kindOf(type, catalogue);
    catalogue[type] = {
      title: titles[type] ?? known.title,
      lifetimeMs: lifetimesMs[type] ?? known.lifetimeMs,
    };
  }
  return catalogue;
}

export function formatOf({ keys, priorities, analytics_label }: AppSettings): PushFormat {
  return {
    keys: keys ?? DEFAULT_FORMAT.keys,
    priorities,
    hasAnalyticsLabel: analytics_label ?? DEFAULT_FORMAT.hasAnalyticsLabel,
  };
}
