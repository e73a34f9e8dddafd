"""The functions of the stages of one distillation."""
