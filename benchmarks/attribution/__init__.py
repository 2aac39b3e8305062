"""How often the causes room is right on incidents whose cause is known, beside simpler answers.

The incidents are read from ../shared/data/attribution when this runs; nothing of them is kept here.
No number of the method was fitted to them: its thresholds are reasons written beside them, tried on
PetShop's train part and on every other incident of the label slices. The rest is reported apart.
"""
