// `automation.c` wants an object file linked in that holds the world. `zelo plugin build` puts the world in by itself, so
// its name is enough.
void __component_type_object_force_link_automation(void);

void __component_type_object_force_link_automation(void) {}
