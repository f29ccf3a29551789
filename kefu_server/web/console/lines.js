/** @import {Line} from "../ui/items.js" */
import { starsOf } from "../ui/items.js";
import { t } from "../ui/i18n.js";
import { say } from "./phrases.js";

/**
 * What stands between the bubbles, in words.
 * @param {Line} line
 * @param {(id: string) => string} nameOf
 * @param {string} me
 * @param {(team: number) => string} [teamOf] a team's name, where it is known
 * @returns {string}
 */
export function systemText(line, nameOf, me, teamOf = () => "") {
  if (line.kind === "close") return t("closedBy", { name: nameOf(line.sender) });
  if (line.kind === "reopen") return t("reopened");
  if (line.kind === "erased" || line.kind === "damaged") return t(line.kind);
  if (line.kind === "rating") return [t("rated", { stars: starsOf(line) }), line.body].filter(Boolean).join("\n");
  if (line.kind === "translating") return t(line.data?.is_on ? "translationOn" : "translationOff", { name: nameOf(line.sender) });
  if (line.kind === "labels") return say("labelled", { labels: (line.data?.labels ?? []).join(", ") || "–" });
  const { assignee, team, reason } = line.data ?? {};
  if (!assignee && reason === "offline") return say("takenBack");
  if (!assignee && team) return say("handedToTeam", { name: teamOf(team) || say("aTeam") });
  if (!assignee) return t("assignedToNobody");
  if (reason === "routing") return say("givenByRule", { name: nameOf(assignee) });
  return assignee === me ? t("assignedToYou") : t("assignedTo", { name: nameOf(assignee) });
}
