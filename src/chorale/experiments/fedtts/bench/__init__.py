"""What a federation's rounds cost where nobody trains, beside other frameworks and beside bare MPI."""
