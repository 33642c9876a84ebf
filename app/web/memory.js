/* What the browser keeps for this page: settings for good, the text and a key until the tab is closed. */

/** Return what was kept under `name`, or `otherwise`. */
export function recall(store, name, otherwise) {
  try {
    return JSON.parse(window[store].getItem(`chorus.${name}`)) ?? otherwise;
  } catch {
    return otherwise; // storage is forbidden here, or somebody else wrote there
  }
}

/** Keep `value` under `name`, where the browser allows it. */
export function keep(store, name, value) {
  try {
    window[store].setItem(`chorus.${name}`, JSON.stringify(value));
  } catch {
    // The page works without; it only forgets.
  }
}
