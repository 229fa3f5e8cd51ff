\set number random(1, 1000000000)
SELECT :number AS brattice_burst;
