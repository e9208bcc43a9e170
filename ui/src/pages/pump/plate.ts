/** The fields of a pump's plate. */

import type { components } from "../../api";

export type Nameplate = components["schemas"]["PumpNameplate"];
type NumberName = { [K in keyof Nameplate]-?: NonNullable<Nameplate[K]> extends number ? K : never }[keyof Nameplate];

/** In the order of the form; `more` are those that nearly every pump has alike. */
export const NUMBERS: readonly { name: NumberName; unit: string; more?: true }[] = [
  { name: "best_flow_m3_h", unit: "m³/h" }, { name: "nominal_rpm", unit: "rpm" }, { name: "rated_kw", unit: "kW" },
  { name: "rated_current_a", unit: "A" }, { name: "rated_voltage_v", unit: "V" }, { name: "npsh_required_m", unit: "m" },
  { name: "starts_per_hour", unit: "" }, { name: "overhaul_h", unit: "h" }, { name: "least_kw", unit: "kW" },
  { name: "power_factor", unit: "" }, { name: "suction_mm", unit: "mm" }, { name: "discharge_mm", unit: "mm" },
  { name: "gauge_rise_m", unit: "m", more: true }, { name: "specific_gravity", unit: "", more: true },
  { name: "atmosphere_bar", unit: "bar", more: true }, { name: "vapour_bar", unit: "bar", more: true },
];
export const INSULATION = ["B", "F", "H"] as const;
export const VIBRATION = ["category I", "category II", "group 2 rigid", "group 2 flexible"] as const;
