"""The controller: one Reflex state class per thing on the screen; each only translates between page and mail model."""
