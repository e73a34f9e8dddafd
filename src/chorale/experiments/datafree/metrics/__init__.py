"""How well a student follows its teacher, and whether the generator still makes different images; no network here."""
