import { speaker } from "../phrases.js";

/** What is said of how a site talks. */
export const PHRASES = {
  en: {
    talkMore: "What is asked and said by itself in the chats of each site.",
    asksRating: "Ask for a rating",
    asksRatingMore: "When a conversation is closed the visitor may give one to five stars and a comment.",
    save: "Save",
    saved: "Saved",
    wrong: "This cannot be saved.",
    failed: "The server cannot be reached. Try again.",
  },
  "zh-CN": {
    talkMore: "各站点的会话中会自动询问和发送的内容。",
    asksRating: "邀请评价",
    asksRatingMore: "会话结束时，访客可以打一到五星并留下意见。",
    save: "保存",
    saved: "已保存",
    wrong: "无法保存。",
    failed: "无法连接服务器，请重试。",
  },
};

export const tell = speaker(PHRASES);
