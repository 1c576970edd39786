// A download that fails says why on the page, which stays.
element.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-format]");
  if (!link) return;
  event.preventDefault();
  const trouble = element.querySelector(".trouble");
  trouble.hidden = true;
  link.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(link.href);
    if (!answer.ok) throw new Error(await answer.text());
    const name = answer.headers.get("content-disposition").match(/filename="(.+)"/)[1];
    const saved = document.createElement("a");
    saved.href = URL.createObjectURL(await answer.blob());
    saved.download = name;
    saved.click();
    setTimeout(() => URL.revokeObjectURL(saved.href), 60000);
  } catch (error) {
    trouble.textContent = error.message;
    trouble.hidden = false;
  }
  link.removeAttribute("aria-busy");
});
