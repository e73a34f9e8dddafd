"""How many images a distillation makes and learns from in a second, beside a plain loop of the same networks."""
