"""What stopped half-way goes on, through the same front door as everyone else."""
