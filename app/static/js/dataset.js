// The page of a data set: its rows, and the signal of each activity.
import { showPreview } from "./dataset/preview.js";
import { followRows } from "./dataset/rows.js";

followRows();
const preview = document.querySelector("[data-preview-url]"); // not where nothing has a label yet
if (preview) showPreview(preview);
