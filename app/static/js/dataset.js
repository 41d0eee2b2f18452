// The page of a data set: its rows, and the signal of each activity.
import { showPreview } from "./dataset/preview.js";
import { followRows } from "./dataset/rows.js";

followRows();
showPreview(document.querySelector("[data-preview-url]"));
