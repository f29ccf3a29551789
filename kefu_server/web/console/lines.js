/** @import {Line} from "../ui/items.js" */
import { t } from "../ui/i18n.js";
import { say } from "./phrases.js";

/**
 * What stands between the bubbles, in words.
 * @param {Line} line
 * @param {(id: string) => string} nameOf
 * @param {string} me
 * @returns {string}
 */
export function systemText(line, nameOf, me) {
  if (line.kind === "close") return t("closedBy", { name: nameOf(line.sender) });
  if (line.kind === "reopen") return t("reopened");
  if (line.kind === "erased") return t("erased");
  if (line.kind === "labels") return say("labelled", { labels: (line.data?.labels ?? []).join(", ") || "–" });
  const assignee = line.data?.assignee;
  if (!assignee) return t("assignedToNobody");
  return assignee === me ? t("assignedToYou") : t("assignedTo", { name: nameOf(assignee) });
}
