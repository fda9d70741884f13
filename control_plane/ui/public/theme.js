// Before anything is painted: the theme that this browser was told, if any. A file, since the policy allows no other.
const theme = localStorage.getItem("lensai.theme");
if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
