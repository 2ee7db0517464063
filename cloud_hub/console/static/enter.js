// A demonstration's link opens the console by one click; without scripts the button does it.
document.getElementById("door")?.requestSubmit();
