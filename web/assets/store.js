// What the browser keeps: the token for this tab alone, the choice of theme for good. A browser that keeps nothing loses it with the tab.

function kept(storage, name) {
  let memory = null;
  return {
    get() {
      try {
        return storage().getItem(name) ?? memory;
      } catch {
        return memory;
      }
    },
    set(value) {
      memory = value;
      try {
        if (value === null) storage().removeItem(name);
        else storage().setItem(name, value);
      } catch {
        // the browser keeps nothing; memory does
      }
    },
  };
}

export const token = kept(() => sessionStorage, "trunkline.token");
export const theme = kept(() => localStorage, "trunkline.theme");
