/** The pages: a new one is a component in `pages/` and a line here. The first pattern that fits wins. */

import type { Component } from "svelte";
import type { Role } from "./live/frames";
import type { PageName } from "./i18n/shell";

export interface Page {
  path: string;
  name: PageName;
  /** The least role that may open it. */
  role: Role;
  /** Its component gets `params`, the named parts of the path, if it wants them. */
  load: () => Promise<{ default: Component<any> }>;
}

const page = (path: string, name: PageName, load: Page["load"], role: Role = "viewer"): Page => ({ path, name, role, load });

export const PAGES: Page[] = [
  page("/", "overview", () => import("./pages/Overview.svelte")),
  page("/map", "map", () => import("./pages/Map.svelte")),
  page("/assets", "assets", () => import("./pages/Assets.svelte")),
  page("/assets/:serial", "asset", () => import("./pages/Asset.svelte")),
  page("/alarms", "alarms", () => import("./pages/Alarms.svelte")),
  page("/ingest", "ingest", () => import("./pages/Ingest.svelte")),
  page("/dma", "nrw", () => import("./pages/Nrw.svelte")),
  page("/dma/:id", "dma", () => import("./pages/Dma.svelte")),
  page("/pumps", "pumps", () => import("./pages/Pumps.svelte")),
  page("/pumps/:serial", "pump", () => import("./pages/Pump.svelte")),
  page("/work-orders", "workOrders", () => import("./pages/WorkOrders.svelte")),
  page("/work-orders/:id", "workOrder", () => import("./pages/WorkOrder.svelte")),
  page("/admin/tags", "adminTags", () => import("./pages/AdminTags.svelte"), "engineer"),
  page("/admin/assets", "adminAssets", () => import("./pages/AdminAssets.svelte"), "engineer"),
  page("/admin/parameters", "adminParameters", () => import("./pages/AdminParameters.svelte"), "engineer"),
  page("/admin/sla", "adminSla", () => import("./pages/AdminSla.svelte"), "engineer"),
  page("/admin/users", "adminUsers", () => import("./pages/AdminUsers.svelte"), "admin"),
  page("/admin/system", "adminSystem", () => import("./pages/AdminSystem.svelte"), "admin"),
  page("/admin/audit", "adminAudit", () => import("./pages/AdminAudit.svelte"), "admin"),
  page("/reference", "reference", () => import("./pages/Reference.svelte")),
  page("/settings", "settings", () => import("./pages/Settings.svelte")),
];

/** The navigation, and the letter after `g`. */
export const NAV: { path: string; name: PageName; key: string; role: Role }[] = [
  { path: "/", name: "overview", key: "o", role: "viewer" },
  { path: "/map", name: "map", key: "m", role: "viewer" },
  { path: "/assets", name: "assets", key: "s", role: "viewer" },
  { path: "/alarms", name: "alarms", key: "a", role: "viewer" },
  { path: "/dma", name: "nrw", key: "n", role: "viewer" },
  { path: "/pumps", name: "pumps", key: "p", role: "viewer" },
  { path: "/work-orders", name: "workOrders", key: "w", role: "viewer" },
  { path: "/ingest", name: "ingest", key: "i", role: "viewer" },
  { path: "/admin/tags", name: "admin", key: "d", role: "engineer" },
];
