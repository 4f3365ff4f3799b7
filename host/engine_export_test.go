package host

// Explain is what an error of the engine means for a module.
var Explain = explain
